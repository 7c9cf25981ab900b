/** The media server's shelf, read with the person's access token. A server that is away is an answer, not a fault. */
import { reasonOf } from '../shared/log.ts';

export type Shelf = { server: string; titles: { title: string; year: number | undefined }[] } | { unavailable: string };

const PATIENCE_MS = 2_000;

export async function readShelf(mediaServer: URL, accessToken: string): Promise<Shelf> {
  try {
    const response = await fetch(new URL('/library', mediaServer), {
      headers: { authorization: `Bearer ${accessToken}` },
      // The token is meant for this server and for none that it might point to.
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.status === 401) return { unavailable: 'The media server does not accept this sign-in.' };
    if (!response.ok) return { unavailable: `The media server answered ${response.status}.` };
    return parseShelf(await response.json());
  } catch (error) {
    return { unavailable: `The media server cannot be reached: ${reasonOf(error)}.` };
  }
}

function parseShelf(body: unknown): Shelf {
  const { server, titles } = asObject(body);
  const { name } = asObject(server);
  if (typeof name !== 'string' || !Array.isArray(titles)) return { unavailable: 'The media server sent no shelf.' };
  return {
    server: name,
    titles: titles
      .map(asObject)
      .flatMap(({ title, year }) =>
        typeof title === 'string' ? [{ title, year: typeof year === 'number' ? year : undefined }] : [],
      ),
  };
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

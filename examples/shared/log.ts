/** One JSON object a line on stderr, named by event. Never a token, a code or a name goes in here. */
export function log(event: string, fields: Record<string, string | number> = {}): void {
  process.stderr.write(`${JSON.stringify({ event, ...fields })}\n`);
}

/** What went wrong, short enough for a log line: fetch hides the useful part in the cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const code = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : undefined;
  return code ? `${error.message} (${code})` : error.message;
}

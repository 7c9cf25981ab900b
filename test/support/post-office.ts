/**
 * A mail server of the tests' own: a real one, with every way to misbehave. It notes what it took, in the moment it said so,
 * and what it read and never answered.
 */
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export type Ailment =
  | 'none'
  | 'defers recipients'
  | 'refuses recipients'
  | 'defers messages'
  | 'refuses messages'
  | 'refuses senders'
  | 'turns everybody away'
  | 'never greets'
  /** Reads the whole message, and answers when the test says so. */
  | 'holds its answer'
  | 'dies mid-DATA'
  /** Reads the whole message, takes it, and hangs up without a word. */
  | 'hangs up before its answer'
  | 'is down';

export type Taken = { readonly messageId: string; readonly to: readonly string[]; readonly message: string };

export type PostOffice = {
  readonly port: number;
  /** Messages that were accepted, whether or not the sender could hear it. */
  readonly taken: Taken[];
  /** Messages that were begun. */
  begun(): number;
  /** How many answers are held. */
  held(): number;
  /** Answers one that was held: 250. */
  answerOne(): void;
  catch(ailment: Ailment): Promise<void>;
  close(): Promise<void>;
};

const reply = (responseCode: number): Error =>
  Object.assign(new Error('as you wish, <b>said</b> the server'), { responseCode });

export async function openPostOffice({
  tls = 'offered',
  user,
}: {
  /** `offered`: with a certificate that nobody vouches for. */
  readonly tls?: 'offered' | 'absent';
  readonly user?: { readonly name: string; readonly password: string };
} = {}): Promise<PostOffice> {
  let ailment: Ailment = 'none';
  let begun = 0;
  let port = 0;
  let server: SMTPServer | undefined;
  const taken: Taken[] = [];
  const held: (() => void)[] = [];
  const sockets = new Set<Socket>();
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy();
  };

  type Done = Parameters<NonNullable<SMTPServerOptions['onData']>>[2];
  const answer = async (reading: Promise<string>, to: readonly string[], done: Done): Promise<void> => {
    // Cut off half-way: it was not heard.
    const message = await reading.catch(() => null);
    if (message === null) return;
    const take = (): void => {
      taken.push({ messageId: /^message-id:\s*(<[^>]+>)/im.exec(message)?.[1] ?? '', to, message });
    };
    switch (ailment) {
      case 'refuses messages':
        return done(reply(554));
      case 'defers messages':
        return done(reply(451));
      case 'hangs up before its answer':
        take();
        return hangUp();
      case 'holds its answer':
        held.push(() => {
          take();
          done(null, 'taken');
        });
        return;
      default:
        take();
        return done(null, 'taken');
    }
  };

  const listen = async (): Promise<void> => {
    const opened = new SMTPServer({
      logger: false,
      banner: 'post office',
      closeTimeout: 1,
      disableReverseLookup: true,
      authOptional: user === undefined,
      allowInsecureAuth: true,
      ...(tls === 'absent' && { disabledCommands: ['STARTTLS'] }),
      onAuth({ username, password }, _session, done) {
        if (username === user?.name && password === user?.password) done(null, { user: username });
        else done(Object.assign(new Error('no'), { responseCode: 535 }));
      },
      onConnect(_session, done) {
        if (ailment === 'turns everybody away') done(reply(554));
        else if (ailment !== 'never greets') done();
      },
      onMailFrom: (_address, _session, done) => done(ailment === 'refuses senders' ? reply(553) : null),
      onRcptTo(_address, _session, done) {
        if (ailment === 'refuses recipients') done(reply(550));
        else done(ailment === 'defers recipients' ? reply(450) : null);
      },
      onData(stream, { envelope }, done) {
        begun += 1;
        if (ailment === 'dies mid-DATA') {
          stream.once('data', hangUp);
          stream.on('error', () => {});
          return;
        }
        const to = envelope.rcptTo.map(({ address }) => address);
        void answer(text(stream), to, done);
      },
    });
    server = opened;
    opened.on('error', () => {});
    opened.server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => opened.listen(port, '127.0.0.1', resolve));
    const address = opened.server.address();
    port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  };
  const shut = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    if (closing === undefined) return;
    const closed = new Promise<void>((resolve) => closing.close(resolve));
    hangUp();
    await closed;
  };

  await listen();
  return {
    get port() {
      return port;
    },
    taken,
    begun: () => begun,
    held: () => held.length,
    answerOne: () => held.shift()?.(),
    async catch(caught) {
      ailment = caught;
      if (caught === 'is down') await shut();
      else if (server === undefined) await listen();
    },
    close: shut,
  };
}

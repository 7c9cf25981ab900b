/** The demo's inbox: `node examples/inbox/server.ts --folder FOLDER`. It shows the mails that Curfew puts into that folder. */
import { readFlags, readPort, serve, usageError } from '../shared/serve.ts';
import { createApp } from './app.ts';

const flags = readFlags({
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '3006' },
  folder: { type: 'string' },
});
const { host, folder } = flags;
if (!folder) usageError('--folder is missing: where the mails are');

serve({ name: 'Inbox', host, port: readPort(flags.port), app: () => createApp({ folder }) });

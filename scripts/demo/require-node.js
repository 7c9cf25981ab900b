// Loaded before the demo itself, and plain JavaScript, so that an older Node says what is missing instead of a parse error.
const NEEDED = 24;
const major = Number(process.versions.node.split('.')[0]);

if (major < NEEDED) {
  process.stderr.write(
    `The demo needs Node ${NEEDED} or later; this is Node ${process.versions.node}.\n` +
      `Run it as \`npm run demo\` after \`npm ci\`, which brings its own Node on Linux and on Windows (x64),\n` +
      `or install Node ${NEEDED}: https://nodejs.org/en/download\n`,
  );
  process.exit(1);
}

/**
 * Loaded into every program of the demo: when the demo is gone, however it went, the program ends itself, in its own
 * orderly way. The channel to the demo closes with the demo, even when that was killed.
 */
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
// Listening must not keep a program alive that is done.
process.channel?.unref();

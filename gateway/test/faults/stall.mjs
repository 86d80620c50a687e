/** For `node --import`: SIGUSR2 makes the event loop stand still for 5 s. */
process.on('SIGUSR2', () => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000);
});

/** For `node --import`: SIGUSR2 makes the event loop stand still for STALL_MS. */
process.on('SIGUSR2', () => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(process.env.STALL_MS));
});

// Plays with the heart's own time: a repaint that is late skips frames, not time.

export function createClock(model) {
  let [last, left, drawn, since] = [null, 0, 0, 0];
  function tick(now) {
    if (!model.playing) return;
    const interval = model.slice.frame_interval_ms || 20;
    left += last === null ? 0 : Math.min(now - last, 250) * model.speed;
    last = now;
    const frames = Math.floor(left / interval);
    left -= frames * interval;
    if (frames) {
      drawn += 1;
      model.set({ frame: (model.frame + frames) % model.frames });
    }
    if (now - since > 1000) {
      document.body.dataset.rate = Math.round((1000 * drawn) / (now - since)); // frames a second
      [drawn, since] = [0, now];
    }
    requestAnimationFrame(tick);
  }
  let running = false;
  model.on((changed) => {
    if (!changed.has('playing') || model.playing === running) return;
    running = model.playing;
    if (!running) return;
    [last, left, drawn, since] = [null, 0, 0, performance.now()];
    requestAnimationFrame(tick);
  });
}

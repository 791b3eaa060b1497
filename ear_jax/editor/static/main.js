// Puts the page together.

import { createActions } from './actions.js';
import { createClock } from './clock.js';
import { createCurves } from './curves.js';
import { createGate } from './gate.js';
import { createKeys } from './keys.js';
import { createMMode } from './mmode.js';
import { createModel, describe } from './model.js';
import { createPointer } from './pointer.js';
import { createMessages } from './say.js';
import { createSender } from './send.js';
import { createStage } from './stage.js';
import { createStudies, placeAxis } from './studies.js';
import { createThumbnails } from './thumbnails.js';
import { createTimeline } from './timeline.js';
import { createToolbar } from './toolbar.js';

const model = createModel();
const studies = createStudies(model);
const sender = createSender(model, studies.judge);
model.on((changed) => { if (changed.has('slices') && model.slice && !model.slice.measured) placeAxis(model, model.chosen); });
createMessages(model);
createStage(model);
createTimeline(model);
const pointer = createPointer(model, sender);
const mmode = createMMode(model, sender);
const actions = createActions(model, sender, studies, pointer, mmode);
createThumbnails(model, actions.choose);
createCurves(model);
createGate(model);
createToolbar(model, actions, studies);
createKeys(model, actions);
createClock(model);

// What a screen reader says of the frame; not while it plays.
model.on((changed) => {
  if (model.slice && !model.playing && ['frame', 'slices', 'chosen', 'playing'].some((key) => changed.has(key))) {
    document.getElementById('frame-said').textContent = describe(model);
  }
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => model.set({ scheme: Date.now() }));
window.addEventListener('focus', sender.compare);
document.addEventListener('visibilitychange', () => { if (!document.hidden) sender.compare(); });
model.set({});
studies.start();

// One sentence at a time at the foot of the window, read aloud; errors stay until the next, others go away.

let timer = 0;

export function say(model, text, kind = 'note', links = []) {
  clearTimeout(timer);
  model.set({ message: text, kind, links });
  if (kind === 'note') timer = setTimeout(() => model.set({ message: '' }), 6000);
}

export function createMessages(model) {
  const [message, banner] = [document.getElementById('message'), document.getElementById('banner')];
  const button = banner.querySelector('button');
  document.getElementById('close').addEventListener('click', () => model.set({ message: '' }));
  button.addEventListener('click', () => {
    const { action } = model.banner;
    model.set({ banner: null });
    action();
  });
  model.on((changed) => {
    if (changed.has('message')) {
      message.querySelector('span').textContent = model.message;
      message.querySelectorAll('a').forEach((one) => one.remove());
      (model.links || []).forEach(([href, textContent]) => {
        document.getElementById('close').before(Object.assign(document.createElement('a'), { href, textContent, target: '_blank', rel: 'noopener' }), ' ');
      });
      message.hidden = !model.message;
      message.dataset.kind = model.kind || 'note';
    }
    if (changed.has('banner')) {
      banner.hidden = !model.banner;
      if (!model.banner) return;
      banner.querySelector('span').textContent = model.banner.text;
      button.textContent = model.banner.button;
    }
  });
}

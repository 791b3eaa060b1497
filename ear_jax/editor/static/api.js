// Requests to the server this page came from. A refusal is an error whose message is the server's sentence.

const AWAY = 'The program that this page belongs to does not answer. Is it still running in its terminal? What it had accepted is on disk.';

async function request(path, options) {
  let answer;
  try {
    answer = await fetch(path, { cache: 'no-store', ...options });
  } catch {
    throw Object.assign(new Error(AWAY), { away: true });
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  const message = body.error || `The program answered ${answer.status} ${answer.statusText}.`;
  throw Object.assign(new Error(message), { status: answer.status });
}

export const get = async (path) => (await request(path)).json();

export const post = async (path, body) => (
  await request(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
).json();

export const picture = async (path) => createImageBitmap(await (await request(path)).blob());

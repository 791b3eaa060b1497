// A closed curve through a few handles: the periodic cubic spline with a knot at every handle.

const POLE = Math.sqrt(3) - 2; // of the filter that turns points on the curve into the spline's coefficients
const FAR = 14; // handles away, POLE ** FAR is nothing

function coefficients(handles) {
  const n = handles.length;
  return handles.map((_, i) => {
    const sum = [0, 0];
    for (let k = -FAR; k <= FAR; k += 1) {
      const weight = Math.sqrt(3) * POLE ** Math.abs(k);
      const handle = handles[(i + k + 2 * n) % n];
      sum[0] += weight * handle[0];
      sum[1] += weight * handle[1];
    }
    return sum;
  });
}

// Returns [row, column] points of the curve, `steps` from each handle to the next.
export function curve(handles, steps = 6) {
  const c = coefficients(handles);
  const n = c.length;
  const points = [];
  for (let i = 0; i < n; i += 1) {
    const [a, b, d, e] = [c[(i + n - 1) % n], c[i], c[(i + 1) % n], c[(i + 2) % n]];
    for (let s = 0; s < steps; s += 1) {
      const u = s / steps;
      const w = [(1 - u) ** 3, 3 * u ** 3 - 6 * u ** 2 + 4, -3 * u ** 3 + 3 * u ** 2 + 3 * u + 1, u ** 3];
      points.push([0, 1].map((k) => (w[0] * a[k] + w[1] * b[k] + w[2] * d[k] + w[3] * e[k]) / 6));
    }
  }
  return points;
}

// The two borders of one frame as radii about one centre, and what gestures make of them. Pure: rings in, rings out.
// Angles grow from the columns towards the rows: clockwise on the screen.

import { curve } from './spline.js';

export const HANDLES = 32;
const RAYS = 192;
const THINNEST = 1; // pixels of wall, and of the cavity's radius
const FULL = 2 * Math.PI;

const wrapped = (angle) => angle - FULL * Math.round(angle / FULL); // to -pi .. pi
const angleOf = (ray) => (ray / RAYS) * FULL;
export const polar = ([row, column], centre) => [
  Math.atan2(row - centre[0], column - centre[1]), Math.hypot(row - centre[0], column - centre[1]),
];
const bump = (angle, reach) => Math.exp(-0.5 * (angle / reach) ** 2);

// Returns the centre of the area within a polygon.
export function centroid(points) {
  let [area, row, column] = [0, 0, 0];
  points.forEach(([r, c], i) => {
    const [s, d] = points[(i + 1) % points.length];
    const cross = r * d - s * c;
    area += cross;
    row += (r + s) * cross;
    column += (c + d) * cross;
  });
  return Math.abs(area) < 1e-9 ? points[0] : [row / (3 * area), column / (3 * area)];
}

// Returns the farthest distance at which each ray from the centre meets the closed polygon; null if the centre is outside.
function radii(points, centre) {
  const found = new Float64Array(RAYS);
  points.forEach((from, i) => {
    const to = points[(i + 1) % points.length];
    const [start] = polar(from, centre);
    const turn = wrapped(polar(to, centre)[0] - start);
    const [low, high] = turn > 0 ? [start, start + turn] : [start + turn, start];
    for (let k = Math.ceil((low / FULL) * RAYS); k <= Math.floor((high / FULL) * RAYS); k += 1) {
      const [dr, dc] = [Math.sin(angleOf(k)), Math.cos(angleOf(k))];
      const across = dr * (to[1] - from[1]) - dc * (to[0] - from[0]);
      const [r, c] = [from[0] - centre[0], from[1] - centre[1]];
      const distance = Math.abs(across) < 1e-12 ? Math.hypot(r, c)
        : (r * (to[1] - from[1]) - c * (to[0] - from[0])) / across;
      const ray = ((k % RAYS) + RAYS) % RAYS;
      found[ray] = Math.max(found[ray], distance);
    }
  });
  return found.every((distance) => distance > 0) ? found : null;
}

// Returns the radius at an angle, between two rays on a straight line.
export function radiusAt(distances, angle) {
  const place = (((angle / FULL) * RAYS) % RAYS + RAYS) % RAYS;
  const ray = Math.floor(place);
  return distances[ray] + (place - ray) * (distances[(ray + 1) % RAYS] - distances[ray]);
}

// Returns the ring of a frame's handles, about `centre` if it is given; null if the centre is outside.
export function ringOf(contours, centre = null) {
  const [endo, epi] = [curve(contours.endo), curve(contours.epi)];
  const middle = centre || centroid(endo);
  const [inner, outer] = [radii(endo, middle), radii(epi, middle)];
  return inner && outer && { centre: middle, endo: inner, epi: outer };
}

// Returns the ring between two closed strokes; null where the second does not enclose the centre of the first.
export function ringOfStrokes(inner, outer) {
  const centre = centroid(inner);
  const [a, b] = [radii(inner, centre), radii(outer, centre)];
  if (!a || !b) return null;
  const [endo, epi] = [a, b].map((r) => smooth(r, 4));
  return ordered({ centre, endo: endo.map((r, k) => Math.min(r, epi[k])), epi: epi.map((r, k) => Math.max(r, endo[k])) }, 'epi');
}

export function circles(centre, inner, outer) {
  return { centre, endo: new Float64Array(RAYS).fill(inner), epi: new Float64Array(RAYS).fill(outer) };
}

// Returns {endo, epi} as handles, evenly by angle, to a thousandth of a pixel.
export function handlesOf(ring) {
  const points = (distances) => [...Array(HANDLES).keys()].map((i) => {
    const angle = (i / HANDLES) * FULL;
    const r = radiusAt(distances, angle);
    return [ring.centre[0] + r * Math.sin(angle), ring.centre[1] + r * Math.cos(angle)].map((v) => Math.round(1000 * v) / 1000);
  });
  return { endo: points(ring.endo), epi: points(ring.epi) };
}

function smooth(distances, times = 1) {
  let found = distances;
  for (let i = 0; i < times; i += 1) {
    found = found.map((r, k) => 0.25 * found[(k + RAYS - 1) % RAYS] + 0.5 * r + 0.25 * found[(k + 1) % RAYS]);
  }
  return found;
}

// The border that was moved stops before the other one.
function ordered(ring, moved) {
  const { endo, epi } = ring;
  if (moved === 'endo') return { ...ring, endo: endo.map((r, k) => Math.max(Math.min(r, epi[k] - THINNEST), THINNEST)) };
  return { ...ring, epi: epi.map((r, k) => Math.max(r, endo[k] + THINNEST)) };
}

// One border goes through a point; its neighbours follow softly, over `reach` radians.
export function pulled(ring, side, point, reach) {
  const [angle, r] = polar(point, ring.centre);
  return bent(ring, side, angle, r - radiusAt(ring[side], angle), reach);
}

// One border moves by `shift` pixels at an angle.
export function bent(ring, side, angle, shift, reach) {
  const distances = ring[side].map((r, k) => r + shift * bump(wrapped(angleOf(k) - angle), reach));
  return ordered({ ...ring, [side]: distances }, side);
}

// One border is pushed out of a disc, away from the centre or towards it.
export function pushed(ring, side, outward, point, radius) {
  const [angle, far] = polar(point, ring.centre);
  let touched = false;
  const distances = ring[side].map((r, k) => {
    const turn = wrapped(angleOf(k) - angle);
    const [along, beside] = [far * Math.cos(turn), far * Math.sin(turn)];
    if (Math.abs(beside) >= radius) return r;
    const half = Math.sqrt(radius ** 2 - beside ** 2);
    if (r <= along - half || r >= along + half) return r;
    touched = true;
    return outward ? along + half : along - half;
  });
  return touched ? ordered({ ...ring, [side]: smooth(distances) }, side) : ring;
}

// The part of one border between the stroke's ends is replaced by the stroke; beyond, it bends towards the ends.
export function redrawn(ring, side, stroke, reach) {
  const places = stroke.map((point) => polar(point, ring.centre));
  const angles = [places[0][0]];
  for (let i = 1; i < places.length; i += 1) angles.push(angles[i - 1] + wrapped(places[i][0] - angles[i - 1]));
  const last = places.length - 1;
  const [low, high] = angles[0] <= angles[last] ? [0, last] : [last, 0];
  const step = low < high ? 1 : -1;
  const gap = (i) => places[i][1] - radiusAt(ring[side], angles[i]);
  const distances = ring[side].map((r, k) => {
    const turned = angleOf(k) + FULL * Math.ceil((angles[low] - angleOf(k)) / FULL); // the first turn after the stroke's beginning
    if (turned <= angles[high]) {
      let i = low;
      while (i + step !== high && (angles[i + step] - turned) < 0) i += step;
      const width = angles[i + step] - angles[i];
      const share = Math.abs(width) < 1e-9 ? 0 : Math.min(Math.max((turned - angles[i]) / width, 0), 1);
      return places[i][1] + share * (places[i + step][1] - places[i][1]);
    }
    const weights = [high, low].map((end) => bump(wrapped(turned - angles[end]), reach));
    return r + (gap(high) * weights[0] + gap(low) * weights[1]) / Math.max(1, weights[0] + weights[1]);
  });
  return ordered({ ...ring, [side]: smooth(distances, 2) }, side);
}

// What made `end` of `start`, done to another ring.
export function repeated(ring, start, end) {
  const found = { centre: ring.centre.map((place, k) => place + end.centre[k] - start.centre[k]) };
  ['endo', 'epi'].forEach((side) => {
    found[side] = ring[side].map((r, k) => Math.max(r + end[side][k] - start[side][k], THINNEST));
  });
  return ordered(found, end.epi === start.epi ? 'endo' : 'epi');
}

export function moved(ring, rows, columns) {
  return { ...ring, centre: [ring.centre[0] + rows, ring.centre[1] + columns] };
}

export function scaled(ring, sides, factor) {
  const found = { ...ring };
  sides.forEach((side) => { found[side] = ring[side].map((r) => Math.max(r * factor, THINNEST)); });
  return sides.length === 2 ? found : ordered(found, sides[0]);
}

// Pictures: one sheet a view with all frames as tiles. Nothing is asked for while a cine plays.

// Returns the place of a frame in the sheet: x, y, width, height.
export function tile(slice, frame) {
  const [height, width, columns] = slice.tile;
  return [(frame % columns) * width, Math.floor(frame / columns) * height, width, height];
}

// Returns `[T]` grey tiles (Uint8Array) of a sheet, to be read as numbers.
export function greys(slice, sheet) {
  const canvas = new OffscreenCanvas(sheet.width, sheet.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(sheet, 0, 0);
  return [...Array(slice.frames).keys()].map((frame) => {
    const { data } = context.getImageData(...tile(slice, frame));
    return Uint8Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
  });
}

// Returns the grey at [row, column] of the picture, between pixels on straight lines; 0 outside of the box.
export function greyAt(slice, pixels, row, column) {
  const [top, left, high, wide] = slice.box;
  const [height, width] = slice.tile;
  const y = ((row - top + 0.5) * height) / high - 0.5;
  const x = ((column - left + 0.5) * width) / wide - 0.5;
  const [i, j] = [Math.floor(y), Math.floor(x)];
  if (i < 0 || j < 0 || i + 1 >= height || j + 1 >= width) return 0;
  const [u, v, at] = [y - i, x - j, i * width + j];
  return (1 - u) * ((1 - v) * pixels[at] + v * pixels[at + 1]) + u * ((1 - v) * pixels[at + width] + v * pixels[at + width + 1]);
}

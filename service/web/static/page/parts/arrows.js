// Moving with the arrow keys, over a table or over the pixels of pictures: rows down and columns to the right of each key.

export const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

const SIDE = 28; // as in pixels.js, which needs a browser: this is tested without one

// The next pixel of n pictures side by side: beyond the right edge of a tile begins the next one.
export function moved({ i, row, column }, [down, right], n) {
  const across = i * SIDE + column + right;
  if (across < 0 || across >= n * SIDE) return { i, row, column };
  return { i: Math.floor(across / SIDE), row: Math.min(SIDE - 1, Math.max(0, row + down)), column: across % SIDE };
}

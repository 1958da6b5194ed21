/** How many rows to read at a time, so that neither ten million small ones nor ten thousand of a megabyte fill the memory. */

const bytesAimed = 4_000_000
const rowsMax = 2_000
/** Before anything is known of the rows. */
export const firstSlice = 100

/** Where rows are known to be so many with so many bytes in all. */
export const sliceOf = (rows: number, bytes: number): number =>
  Math.max(1, Math.min(rowsMax, Math.floor((bytesAimed / Math.max(bytes, 1)) * rows)))

/** The next slice's rows, from what the last one held. Grows at most tenfold a step. */
export const nextSlice = (rows: number, bytes: number): number =>
  Math.max(1, Math.min(rowsMax, rows * 10, Math.floor((bytesAimed / Math.max(bytes, 1)) * rows)))

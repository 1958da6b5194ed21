/** Fates without luck: everything that "happens" is a function of (seed, item content, attempt number), so arrival order can't change it. */

/** 53-bit hash of a text: tells millions of items apart and is a plain number. */
export const hashOf = (text: string): number => {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    a = Math.imul(a ^ c, 2654435761)
    b = Math.imul(b ^ c, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return 4294967296 * (2097151 & b) + (a >>> 0)
}

/** 32 well-mixed bits of a key and a salt. */
export const mix = (key: number, salt: number): number => {
  // Both halves of the key count: `| 0` alone would drop its upper 21 bits.
  let x = (key | 0) ^ Math.imul(Math.floor(key / 4294967296), 0x27d4eb2f) ^ Math.imul(salt, 0xc2b2ae35)
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) >>> 0
}

export interface Draw {
  readonly seed: number
  readonly key: number
  /** From 0. */
  readonly attempt: number
}

/** Uniform in [0, 1). `salt` keeps draws of one attempt independent. */
export const chance = ({ seed, key, attempt }: Draw, salt: number): number =>
  mix(key, Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(attempt + 1, 0x85ebca6b) ^ salt) / 4294967296

/** Whole milliseconds (so that node's timers share lists), log-normal around the median; fixed where sigma is 0. */
export const latencyOf = (draw: Draw, medianMs: number, sigma: number): number => {
  if (sigma === 0) return medianMs
  const u = chance(draw, 101) || 1e-9
  const z = Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * chance(draw, 102))
  return Math.round(medianMs * Math.exp(sigma * z))
}

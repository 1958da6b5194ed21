import { createHash } from "node:crypto"

import { describe, expect, it } from "vitest"

import { KeyIndex } from "../../../runtime/store/key-index.ts"

const hashOf = (key: string): Buffer => createHash("sha256").update(key).digest()

describe("an index of keys", () => {
  it.each([1, 2, 3])("[PAR-1] says of 100,000 rows which came before with the same key, as a Map does (seed %i)", (seed) => {
    const index = new KeyIndex(4)
    const seen = new Map<string, number>()
    let random = seed
    for (let ordinal = 0; ordinal < 100_000; ordinal++) {
      random = Math.imul(random, 1_103_515_245) + 12_345
      const key = `key-${(random >>> 8) % 70_000}`
      expect(index.add(hashOf(key), ordinal)).toBe(seen.get(key) ?? null)
      if (!seen.has(key)) seen.set(key, ordinal)
    }
    expect(seen.size).toBeGreaterThan(40_000)
  })

  it("tells hashes apart that begin alike, and grows with all of them in one place", () => {
    const index = new KeyIndex(2)
    const hashes = Array.from({ length: 500 }, (_, n) => {
      const hash = Buffer.alloc(32)
      hash.writeUInt32LE(7, 0)
      hash.writeUInt32LE(n >> 4, 4)
      hash.writeUInt32LE(n & 15, 8)
      return hash
    })
    expect(hashes.map((hash, n) => index.add(hash, n))).toEqual(hashes.map(() => null))
    expect(hashes.map((hash) => index.add(hash, 1_000))).toEqual(hashes.map((_, n) => n))
  })

  it("knows the first row, whose ordinal is 0, and a hash of zeros", () => {
    const index = new KeyIndex()
    expect([index.add(Buffer.alloc(32), 0), index.add(Buffer.alloc(32), 1)]).toEqual([null, 0])
  })
})

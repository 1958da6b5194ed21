/** Which keys a manifest has, in 16 bytes a slot: ten million keys in 256 MB, without asking the disk. */

/** An open-addressing table from the first 96 bits of a key's hash to the ordinal of its first row. */
export class KeyIndex {
  #slots: Uint32Array
  #mask: number
  #size = 0

  constructor(slotsLog2 = 12) {
    this.#slots = new Uint32Array(4 << slotsLog2)
    this.#mask = (1 << slotsLog2) - 1
  }

  /** Adds a key's hash with its row's ordinal; returns the first row's ordinal if the key was there already, else null. */
  add(hash: Buffer, ordinal: number): number | null {
    if (this.#size > (this.#mask + 1) * 0.7) this.#grow()
    const found = this.#place(hash.readUInt32LE(0), hash.readUInt32LE(4), hash.readUInt32LE(8), ordinal + 1)
    if (found === 0) this.#size++
    return found === 0 ? null : found - 1
  }

  /** Linear probing; a slot whose ordinal word is 0 is free. Returns the stored ordinal word, 0 if it was placed now. */
  #place(a: number, b: number, c: number, word: number): number {
    const slots = this.#slots
    for (let slot = a & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot << 2
      const stored = slots[at + 3] ?? 0
      if (stored === 0) {
        slots[at] = a
        slots[at + 1] = b
        slots[at + 2] = c
        slots[at + 3] = word
        return 0
      }
      if (slots[at] === a && slots[at + 1] === b && slots[at + 2] === c) return stored
    }
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    for (let at = 0; at < old.length; at += 4) {
      const word = old[at + 3] ?? 0
      if (word !== 0) this.#place(old[at] ?? 0, old[at + 1] ?? 0, old[at + 2] ?? 0, word)
    }
  }
}

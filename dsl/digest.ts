/** Content keys: the same content gives the same digest, whatever order its fields were written in. */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"

/** JSON with sorted keys and no spaces; `undefined` fields are left out. */
export const canonicalJson = (value: unknown): string => JSON.stringify(value, (_, field: unknown) => sorted(field))

const sorted = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
    : value

/** The first 32 hex digits (128 bits) of SHA-256 over the canonical JSON. */
export const digest = (value: unknown): string => bytesToHex(sha256(utf8ToBytes(canonicalJson(value)))).slice(0, 32)

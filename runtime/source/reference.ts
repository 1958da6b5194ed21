/** Large bodies stay where they are: the manifest keeps where, and the digest that they must still have. */
import { createHash } from "node:crypto"

import type { FoundFile } from "./find-files.ts"
import type { BodyReference } from "./source-item.ts"

/** Bytes above this are referenced, not copied. */
const COPIED_BYTES_MAX = 1024 * 1024

/** Null for what is small enough to copy. */
export const referenceTo = (path: string, offset: number, bytes: Uint8Array): BodyReference | null =>
  bytes.length > COPIED_BYTES_MAX ? { path, offset, length: bytes.length, sha256: digestOf(bytes) } : null

/** SHA-256, hex. */
export const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

// A parser is told a file's path relative to the glob's fixed part, and must be told the same when the item is read again,
// when the glob is long gone. So the path of a reference carries the cut as rsync writes it: `/data/mails/./2024/a.eml`.
const CUT = "/./"

/** The path of a reference to a whole file: opens like any other. */
export const cutPath = ({ path, relative }: FoundFile): string =>
  path.endsWith(`/${relative}`) ? path.slice(0, -relative.length - 1) + CUT + relative : path

/** The inverse: what `SourceFile.path` was. */
export const relativeOf = (path: string): string =>
  path.slice(path.includes(CUT) ? path.lastIndexOf(CUT) + CUT.length : path.lastIndexOf("/") + 1)

/** What a source hands to the manifest: items, and rows that can't become one. */

/** Where a row stands in the input: what a person opens to mend it. */
export interface Place {
  /** With `/`, relative to the working directory, or absolute where the author's path or glob is; `query` or `stream` for those formats. */
  readonly file: string
  /** From 1, blank lines counted; the first of a CSV row that spans several; the row's ordinal (in its file) for formats without lines; null for a file that is one item. */
  readonly line: number | null
}

/**
 * An input too large to copy: where it is, and what it must still be when it is read again (PAR-5). Only a line of JSONL and a
 * file of `files` have one, if they are over 1 MB; rows of other formats have no bytes of their own, and are copied whatever their size.
 */
export interface BodyReference {
  /** Absolute. Of `files`, with `/./` before the part that `SourceFile.path` was: keep it as it is, and normalise it for people. */
  readonly path: string
  /** In bytes, from the file's start; 0 for a whole file. */
  readonly offset: number
  /** In bytes. */
  readonly length: number
  /** SHA-256 over those bytes, hex. */
  readonly sha256: string
}

export interface SourceItem {
  readonly kind: "item"
  /** The author's key: non-empty, at most 4,096 characters. */
  readonly key: string
  /** Decoded by the source's schema: what callbacks get. */
  readonly item: unknown
  /** JSON text that `ItemReader.fromBody` reads back into an equal item. */
  readonly body: string
  /** Of the body in UTF-8, also where it is only referenced. */
  readonly bytes: number
  /** Set for large bodies; then the manifest doesn't copy `body`. */
  readonly reference: BodyReference | null
  readonly place: Place
}

/**
 * Why a row is set aside: it can't be taken apart (`unreadable`), isn't UTF-8 (`encoding`), doesn't fit the schema, gives no usable
 * key, or its `parse` failed. `duplicate` is the manifest's to say.
 */
export type RejectionCode = "unreadable" | "encoding" | "schema" | "key" | "parse" | "duplicate"

export interface RejectedRow {
  readonly kind: "rejected"
  readonly code: RejectionCode
  /** For a person: what is wrong with the row, in one line. May quote the row: it is kept with the payload. */
  readonly reason: string
  /** The first 200 characters of the row, with U+FFFD for what isn't UTF-8; of a file, its first ones. */
  readonly excerpt: string
  readonly place: Place
}

export type SourceRow = SourceItem | RejectedRow

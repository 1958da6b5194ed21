/** What a source hands to the manifest: items, and rows that can't become one. */

/** Where a row stands in the input: what a person opens to mend it. */
export interface Place {
  /** As the author's path or glob names it, relative to the working directory; `query` or `stream` for those formats. */
  readonly file: string
  /** From 1; the row's ordinal for formats without lines; null for a file that is one item. */
  readonly line: number | null
}

/** A body too large to copy (over 1 MB): where it is, and what it must still be when it is read again (PAR-5). */
export interface BodyReference {
  /** Absolute. */
  readonly path: string
  /** In bytes. */
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
  /** Bytes of the body in UTF-8, also where it is only referenced. */
  readonly bytes: number
  /** Set for large bodies; then the manifest doesn't copy `body`. */
  readonly reference: BodyReference | null
  readonly place: Place
}

/** Why a row is set aside. `duplicate` is the manifest's to say. */
export type RejectionCode = "unreadable" | "encoding" | "schema" | "key" | "parse" | "duplicate"

export interface RejectedRow {
  readonly kind: "rejected"
  readonly code: RejectionCode
  /** For a person: what is wrong with the row, in one line. May quote the row: it is kept with the payload. */
  readonly reason: string
  /** The first 200 characters of the row. */
  readonly excerpt: string
  readonly place: Place
}

export type SourceRow = SourceItem | RejectedRow

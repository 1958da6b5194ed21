/** What one kind of gate keeps, says and asks for. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** What a person may type at a gate, and what comes of it. */
export interface GateCommand {
  readonly use: string
  readonly command: string
}

/** What a gate says to a person. */
export interface GateWords {
  /** What happened and why, in whole sentences, a line each. */
  readonly says: ReadonlyArray<string>
  readonly commands: ReadonlyArray<GateCommand>
}

export interface GateKindOptions<Detail> {
  /** What the gate's row keeps; without personal data. */
  readonly detail: Schema.Codec<Detail, Detail>
  readonly says: (detail: Detail) => ReadonlyArray<string>
  readonly commands: (gate: string, detail: Detail) => ReadonlyArray<GateCommand>
  /** Whether `approve` gives the run money there (`--add-usd`). Default: no. */
  readonly takesUsd?: boolean
}

/** Declares a kind. */
export const gateKind = <Detail>({ detail, says, commands, takesUsd = false }: GateKindOptions<Detail>) => {
  const decode = Schema.decodeUnknownOption(detail)
  return {
    takesUsd,
    /** A gate's detail as its row has it; null where another version wrote something else. */
    read: (stored: unknown): Detail | null => Option.getOrNull(decode(stored)),
    /** Null where another version wrote something else. */
    wordsOf: (gate: string, stored: unknown): GateWords | null =>
      Option.match(decode(stored), { onNone: () => null, onSome: (read) => ({ says: says(read), commands: commands(gate, read) }) })
  }
}

/** The two commands that every gate has. */
export const approveOrReject = (gate: string, uses: { readonly approve: string; readonly reject: string }, flags = "") => [
  { use: uses.approve, command: `runtime approve ${gate}${flags}` },
  { use: uses.reject, command: `runtime reject ${gate}` }
]

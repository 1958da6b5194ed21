import * as Schema from "effect/Schema"

import type { RunContext } from "../../../dsl/source.ts"

export const run: RunContext = {
  date: "2026-03-01",
  interval: { start: new Date("2026-02-28T00:00:00Z"), end: new Date("2026-03-01T00:00:00Z") },
  params: {}
}

export const Row = Schema.Struct({ id: Schema.String, text: Schema.String })
export const rowKey = ({ id }: typeof Row.Type) => id

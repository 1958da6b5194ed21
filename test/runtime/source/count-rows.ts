/** Run by a test with little memory: prints how many items a JSONL file has. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import { jsonl } from "../../../dsl/source.ts"
import { definitionOf } from "../../../dsl/step.ts"
import { readSource } from "../../../runtime/source/read-source.ts"
import { Row, rowKey, run } from "./row.ts"

const definition = definitionOf(jsonl(process.argv[2] ?? "", { schema: Row, key: rowKey }))
if (definition.kind !== "source") throw new Error("not a source")
const counted = Stream.runFold(
  readSource(definition, run),
  () => 0,
  (count, portion) => count + portion.filter(({ kind }) => kind === "item").length
)
console.log(await Effect.runPromise(counted))

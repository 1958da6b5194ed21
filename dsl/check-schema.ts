/** What a schema must be so that its fields become columns. */
import { allowsObjectsOnly, columnsOf, jsonSchemaOf } from "./columns.ts"
import { faultUnless, type PlanFault } from "./plan-error.ts"
import type { PlainSchema } from "./step.ts"

/** Faults of one schema of a step; `what` names it. */
export const checkSchema = (step: string, what: string, schema: PlainSchema): ReadonlyArray<PlanFault> => {
  try {
    return faultUnless(allowsObjectsOnly(jsonSchemaOf(schema)), {
      step,
      problem: `${what} is not an object`,
      remedy: "use a Schema.Struct: its fields become columns"
    })
  } catch (error) {
    return [
      {
        step,
        problem: `${what} has no JSON form: ${firstLine(error)}`,
        remedy: "use fields that JSON can hold, or add a codec to the field"
      }
    ]
  }
}

/** Tables don't tell case apart, and each row has its item's key in `item_key`; only an item may call its own key that. */
export const checkColumns = (step: string, schema: PlainSchema, reserved: ReadonlyArray<string>): ReadonlyArray<PlanFault> => {
  const names = [...reserved, ...columnsOf(jsonSchemaOf(schema)).map(({ name }) => name)].map((name) => name.toLowerCase())
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index))
  return [...twice].map((name) => ({
    step,
    problem: reserved.includes(name)
      ? `a field becomes the column "${name}", which holds the item's key`
      : `two fields become the column "${name}"`,
    remedy: "rename one: nested fields are joined by _, and columns don't tell case apart"
  }))
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? ""

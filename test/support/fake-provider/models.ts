/** `GET /v1/models`, in both vendors' forms. */
import { cardOf, knownModels } from "./catalog.ts"
import type { Call, Reply } from "./chore.ts"
import { problemOf, type Vendor } from "./problem.ts"

/** When the fake's models came out: 1 August 2025. */
const createdMs = 1_754_006_400_000

const show = (vendor: Vendor, id: string) =>
  vendor === "openai"
    ? { id, object: "model", created: createdMs / 1000, owned_by: "system" }
    : { type: "model", id, display_name: id, created_at: new Date(createdMs).toISOString() }

/** The list, or the one model that the path names. */
export const listModels = ({ world, vendor, id }: Call): Reply => {
  const { models } = world.box.steady
  const own = models.length > 0 ? models : knownModels.filter((name) => name.startsWith("claude") === (vendor === "anthropic"))
  if (id !== "") {
    const isKnown = models.length > 0 ? models.includes(id) : cardOf(id) !== undefined
    const problem = isKnown ? undefined : problemOf(vendor, "model-missing", id)
    return problem === undefined ? { json: show(vendor, id) } : { problem }
  }
  const data = own.map((name) => show(vendor, name))
  if (vendor === "openai") return { json: { object: "list", data } }
  return { json: { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null } }
}

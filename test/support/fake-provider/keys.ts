/** Which credentials are accepted. */
import type { IncomingMessage } from "node:http"

import { type Problem, problemOf, type Vendor } from "./problem.ts"
import type { World } from "./world.ts"

/** Why the request's key is refused, or undefined. */
export const keyProblem = (world: World, vendor: Vendor, req: IncomingMessage): Problem | undefined => {
  const { keys } = world.box.steady
  if (world.isBare && keys.length === 0) return undefined
  const { authorization = "" } = req.headers
  const bearer = authorization.startsWith("Bearer ") ? authorization.slice(7) : undefined
  // Anthropic's SDK sends a bearer since its version 1; its API still takes both.
  const header = vendor === "anthropic" ? (req.headers["x-api-key"] ?? bearer) : bearer
  const key = typeof header === "string" ? header : ""
  if (vendor === "anthropic" && req.headers["anthropic-version"] === undefined) {
    return { status: 400, message: "anthropic-version: header is required" }
  }
  if (key === "") {
    return { status: 401, message: vendor === "openai" ? "You didn't provide an API key." : "x-api-key header is required" }
  }
  return keys.length === 0 || keys.includes(key) ? undefined : problemOf(vendor, "401", "")
}

/** Calls that aren't inference: each with its fault, before or after it takes effect. */
import type { IncomingMessage, ServerResponse } from "node:http"

import type { Chore, ChoreFault } from "./faults.ts"
import { keyProblem } from "./keys.ts"
import { type Problem, problemOf, type Vendor } from "./problem.ts"
import type { Spool } from "./spool.ts"
import { resetConnection, sendJson, sendProblem } from "./wire.ts"
import type { World } from "./world.ts"

export interface Call {
  readonly world: World
  readonly vendor: Vendor
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly query: URLSearchParams
}

/** What a chore has to say. */
export type Outcome = { readonly problem: Problem } | { readonly json: unknown } | { readonly bytes: Spool; readonly type: string }

/** Bytes of a download are sent in pieces of this size. */
const pieceBytes = 256 * 2 ** 10

const refusals: Readonly<Partial<Record<ChoreFault, Problem>>> = {
  "refuse-429": { status: 429, message: "Rate limit reached.", code: "rate_limit_exceeded" },
  "refuse-500": { status: 500, message: "The server had an error while processing your request." },
  "refuse-503": { status: 503, message: "Service unavailable." },
  "late-500": { status: 500, message: "The server had an error while processing your request." }
}

/** Refuses what an outage or a wrong key refuses; true where the call may go on. */
export const isLetIn = ({ world, vendor, req, res }: Call): boolean => {
  const outage = world.outage()
  if (outage === "reset") resetConnection(res)
  else if (outage !== undefined)
    sendProblem(world, res, vendor, problemOf(vendor, outage, "") ?? { status: 503, message: "Service unavailable." })
  else {
    const problem = keyProblem(world, vendor, req)
    if (problem === undefined) return true
    sendProblem(world, res, vendor, problem)
  }
  return false
}

/** Does a chore, unless its fault comes first, and says so, unless its fault comes last. */
export const doChore = (call: Call, chore: Chore, act: () => Outcome): void => {
  const { world, vendor, res } = call
  const fault = world.box.choreFault(chore)
  if (fault !== "ok") world.ledger.byFault[`${chore}:${fault}`] = (world.ledger.byFault[`${chore}:${fault}`] ?? 0) + 1
  if (fault === "refuse-reset") return resetConnection(res)
  const refusal = fault === "refuse-quota" ? problemOf(vendor, "quota", "") : refusals[fault]
  if (refusal !== undefined) {
    // Late ones have taken effect all the same.
    if (fault === "late-500") act()
    return sendProblem(world, res, vendor, refusal)
  }
  const outcome = act()
  if (fault === "drop") return resetConnection(res)
  if (fault === "hang") {
    world.ledger.hung++
    return
  }
  if ("problem" in outcome) return sendProblem(world, res, vendor, outcome.problem)
  if ("json" in outcome) return sendJson(world, res, vendor, outcome.json)
  return sendSpool(call, outcome.bytes, outcome.type, fault === "cut")
}

/** A download; one that is cut off announces all of its bytes and sends half of them. */
const sendSpool = ({ world, vendor, res }: Call, spool: Spool, type: string, isCut: boolean): void => {
  const { byStatus } = world.ledger
  byStatus[200] = (byStatus[200] ?? 0) + 1
  const id = vendor === "openai" ? "x-request-id" : "request-id"
  const { bytes } = spool.hold()
  res.writeHead(200, ["content-type", type, "content-length", String(bytes), id, world.newId("req_")])
  res.once("close", () => spool.close())
  const end = isCut ? bytes >> 1 : bytes
  let at = 0
  const send = (): void => {
    while (at < end) {
      if (res.destroyed) return
      const piece = spool.read(at, Math.min(pieceBytes, end - at))
      at += piece.length
      if (!res.write(piece)) {
        res.once("drain", send)
        return
      }
    }
    // What was written must leave before the connection breaks, or the client would see an empty answer.
    if (isCut) res.write("", () => setTimeout(() => resetConnection(res), 5))
    else res.end()
  }
  send()
}

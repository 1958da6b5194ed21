/** How answers leave: one `writeHead` and one `end` each, counted by status. */
import type { ServerResponse } from "node:http"

import { type Problem, problemBody, type Vendor } from "./problem.ts"
import type { World } from "./world.ts"

/** Sends a body that is text. Nothing is sent to a client that is gone. */
export const sendText = (
  world: World,
  res: ServerResponse,
  answer: {
    readonly vendor: Vendor
    readonly status: number
    readonly text: string
    readonly headers?: ReadonlyArray<string>
    readonly id?: string
  }
): void => {
  const { vendor, status, text, headers = [] } = answer
  const { byStatus } = world.ledger
  byStatus[status] = (byStatus[status] ?? 0) + 1
  if (res.destroyed) return
  const own = world.isBare ? [] : [vendor === "openai" ? "x-request-id" : "request-id", answer.id ?? world.newId("req_")]
  res.writeHead(status, ["content-type", "application/json", "content-length", String(Buffer.byteLength(text)), ...own, ...headers])
  res.end(text)
}

export const sendJson = (world: World, res: ServerResponse, vendor: Vendor, value: unknown): void =>
  sendText(world, res, { vendor, status: 200, text: JSON.stringify(value) })

export const sendProblem = (
  world: World,
  res: ServerResponse,
  vendor: Vendor,
  problem: Problem,
  headers: ReadonlyArray<string> = []
): void => {
  const id = world.newId("req_")
  const { authorization, "x-api-key": bare } = res.req.headers
  const key = world.box.steady.echoKey ? String(authorization ?? bare ?? "") : ""
  const told = key === "" ? problem : { ...problem, message: `${problem.message} You sent ${key}.` }
  const echo = key === "" ? [] : ["x-you-sent", key]
  sendText(world, res, { vendor, status: problem.status, text: problemBody(vendor, told, id), headers: [...headers, ...echo], id })
}

const resets = new WeakSet<ServerResponse>()

/** Whether it was the fake that broke the connection, and not the client. */
export const isReset = (res: ServerResponse): boolean => resets.has(res)

/** Ends the connection as a crashed server does: with a reset, mid-air. */
export const resetConnection = (res: ServerResponse): void => {
  resets.add(res)
  res.socket?.resetAndDestroy()
}

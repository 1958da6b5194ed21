/** Downloads: a spool leaves in pieces, at the pace of its reader. */
import type { ServerResponse } from "node:http"

import type { Vendor } from "./problem.ts"
import type { Spool } from "./spool.ts"
import { resetConnection } from "./wire.ts"
import type { World } from "./world.ts"

const pieceBytes = 256 * 2 ** 10

/** Sends all of it; half of it and a reset where it is cut. */
export const sendSpool = async (world: World, res: ServerResponse, vendor: Vendor, spool: Spool, isCut: boolean): Promise<void> => {
  world.ledger.byStatus[200] = (world.ledger.byStatus[200] ?? 0) + 1
  res.writeHead(200, {
    "content-type": vendor === "openai" ? "application/octet-stream" : "application/x-jsonl",
    "content-length": spool.bytes,
    [vendor === "openai" ? "x-request-id" : "request-id"]: world.newId("req_")
  })
  const end = isCut ? spool.bytes >> 1 : spool.bytes
  const held = spool.hold()
  try {
    for (let at = 0; at < end && !res.destroyed; at += pieceBytes) {
      const hasRoom = res.write(held.read(at, Math.min(pieceBytes, end - at)))
      if (!hasRoom) await drained(res)
    }
  } finally {
    held.close()
  }
  if (isCut) res.write("", () => resetConnection(res))
  else res.end()
}

/** Until there is room, or nobody reads any more. */
const drained = (res: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      res.off("drain", done)
      res.off("close", done)
      resolve()
    }
    if (res.destroyed) return done()
    res.once("drain", done)
    res.once("close", done)
  })

/** OpenAI's `/v1/files`. */
import type { IncomingMessage } from "node:http"

import type { Call, Reply } from "./chore.ts"
import { showFile, type StoredFile } from "./file-shelf.ts"
import { MultipartReader } from "./multipart.ts"
import { notFound } from "./problem.ts"
import { invalid } from "./question.ts"

/** The longest file that is taken. */
const fileBytesMax = 512 * 2 ** 20

/** Reads at a pace: waits as long as what was read should have taken. */
async function* paced(req: IncomingMessage, bytesPerSecond: number): AsyncIterable<Buffer> {
  const since = Date.now()
  let bytes = 0
  for await (const piece of req) {
    const chunk: Buffer = piece
    yield chunk
    if (bytesPerSecond === 0) continue
    bytes += chunk.length
    const aheadMs = (bytes / bytesPerSecond) * 1000 - (Date.now() - since)
    if (aheadMs > 1) await new Promise((resolve) => setTimeout(resolve, aheadMs))
  }
}

/** `POST /v1/files`. */
export const uploadFile = async ({ world, req }: Call): Promise<Reply> => {
  const reader = MultipartReader.of(req.headers["content-type"])
  if (reader === undefined) return { problem: invalid("We could not parse the multipart body of your request.") }
  let bytes = 0
  try {
    for await (const chunk of paced(req, world.box.steady.uploadBytesPerSecond)) {
      bytes += chunk.length
      if (bytes <= fileBytesMax) reader.push(chunk)
    }
  } catch (error) {
    reader.abandon()
    throw error
  }
  const upload = reader.finish()
  if (bytes > fileBytesMax) {
    upload?.file.close()
    return { problem: { status: 413, message: `The file is larger than ${fileBytesMax} bytes.` } }
  }
  if (upload === undefined) return { problem: invalid("'file' is a required property", "file") }
  const { purpose } = upload.fields
  if (purpose === undefined || purpose === "") {
    upload.file.close()
    return { problem: invalid("'purpose' is a required property", "purpose") }
  }
  if (upload.file.bytes === 0) {
    upload.file.close()
    return { problem: invalid("File is empty.", "file", "empty_file") }
  }
  world.ledger.filesUploaded++
  return { json: showFile(world.files.put(upload.filename, purpose, upload.file)) }
}

const missing = (id: string): Reply => ({ problem: notFound("openai", `No such File object: ${id}`) })

const withFile = ({ world, id }: Call, use: (file: StoredFile) => Reply): Reply => {
  const file = world.files.files.get(id)
  return file === undefined ? missing(id) : use(file)
}

/** `GET /v1/files/ID`. */
export const retrieveFile = (call: Call): Reply => withFile(call, (file) => ({ json: showFile(file) }))

/** `GET /v1/files/ID/content`. */
export const downloadFile = (call: Call): Reply => withFile(call, ({ spool }) => ({ spool }))

/** `DELETE /v1/files/ID`. */
export const deleteFile = ({ world, id }: Call): Reply =>
  world.files.remove(id) ? { json: { id, object: "file", deleted: true } } : missing(id)

/** `GET /v1/files`, newest first unless asked otherwise. */
export const listFiles = ({ world, query }: Call): Reply => {
  const limit = Number(query.get("limit") ?? 10_000)
  if (!(limit >= 1 && limit <= 10_000)) return { problem: invalid("Invalid 'limit': expected 1 to 10000.", "limit") }
  const purpose = query.get("purpose")
  const all = [...world.files.files.values()].filter((file) => purpose === null || file.purpose === purpose)
  if (query.get("order") !== "asc") all.reverse()
  const after = query.get("after")
  const from = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1
  const data = all.slice(from, from + limit).map(showFile)
  return {
    json: { object: "list", data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: from + limit < all.length }
  }
}

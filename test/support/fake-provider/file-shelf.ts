/** OpenAI's files. */
import type { Spool } from "./spool.ts"
import type { World } from "./world.ts"

export interface StoredFile {
  readonly id: string
  readonly filename: string
  readonly purpose: string
  /** Epoch seconds. */
  readonly createdAt: number
  readonly spool: Spool
}

export const showFile = ({ id, filename, purpose, createdAt, spool }: StoredFile) => ({
  id,
  object: "file",
  bytes: spool.bytes,
  created_at: createdAt,
  filename,
  purpose,
  status: "processed",
  status_details: null,
  expires_at: purpose === "batch" ? createdAt + 30 * 86_400 : null
})

export class FileShelf {
  readonly #world: World
  readonly files = new Map<string, StoredFile>()

  constructor(world: World) {
    this.#world = world
  }

  put(filename: string, purpose: string, spool: Spool): StoredFile {
    const file = { id: this.#world.newId("file-"), filename, purpose, createdAt: Math.floor(Date.now() / 1000), spool }
    this.files.set(file.id, file)
    return file
  }

  /** False where there is no such file. */
  remove(id: string): boolean {
    const file = this.files.get(id)
    if (file === undefined) return false
    file.spool.close()
    this.files.delete(id)
    this.#world.ledger.filesDeleted++
    return true
  }

  close(): void {
    for (const { spool } of this.files.values()) spool.close()
    this.files.clear()
  }
}

/** Room on the disk. */
import { existsSync, statfsSync } from "node:fs"
import * as path from "node:path"

/** Bytes that this user may still write on the disk that holds `folder`, or will hold it. */
export const freeBytes = (folder: string): number => {
  const absolute = path.resolve(folder)
  if (!existsSync(absolute)) return freeBytes(path.dirname(absolute))
  const { bavail, bsize } = statfsSync(absolute)
  return bavail * bsize
}

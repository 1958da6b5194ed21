/** The version in package.json. */
import { readFileSync } from "node:fs"
import * as path from "node:path"

/** Found upwards from this file: the sources and the built package have it at different depths. */
const readVersion = (folder: string): string => {
  try {
    const found: unknown = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"))
    if (typeof found === "object" && found !== null && "version" in found && "name" in found && found.name === "nightshift")
      return String(found.version)
  } catch {
    // Not in this folder.
  }
  const parent = path.dirname(folder)
  return parent === folder ? "0.0.0" : readVersion(parent)
}

export const version = readVersion(import.meta.dirname)

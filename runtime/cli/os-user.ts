/** Who typed a command, for the record. */
import { userInfo } from "node:os"

/** The name of whoever typed; its number where it has no name, as in some containers. */
export const osUser = (): string => {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`
  }
}

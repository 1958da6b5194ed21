import { describe, expect, it } from "vitest"

import { storeError } from "../../../runtime/store/store-error.ts"

const path = "/state/runs/r1/state.duckdb"

describe("trouble with a file of state", () => {
  it.each([
    [
      `IO Error: Could not set lock on file "${path}": Conflicting lock is held in /usr/bin/node (PID 4711). See also https://duckdb.org`,
      "held",
      "is in use by process 4711. Nothing was changed: wait for it, or see `runtime status`.",
      true
    ],
    [
      "TransactionContext Error: Failed to commit: Could not write file: No space left on device",
      "full",
      "make room and `runtime resume` the run",
      true
    ],
    ["ENOSPC: no space left on device, write", "full", "Nothing that was committed is lost", true],
    ["EROFS: read-only file system, open", "read-only", "choose another folder with --state DIR", false],
    [`IO Error: Cannot open file "${path}": Permission denied`, "read-only", "Give this user write access", false],
    [`IO Error: The file "${path}" exists, but it is not a valid DuckDB database file!`, "broken", "Keep a copy", false],
    ["IO Error: Failure while replaying WAL file: Corrupt WAL file: entry at byte position 9", "broken", "`runtime doctor`", false],
    ["IO Error: Trying to read a database file with storage version 99", "newer", "npm i nightshift@latest", false],
    ["ENOENT: no such file or directory, open", "missing", "does not exist", false],
    ["IO Error: Could not read from file: Input/output error", "unreadable", "Check the disk", true],
    ["Binder Error: column x", "query", "A query failed while", false]
  ] as const)("is told apart: %s", (said, reason, sentence, isRetryable) => {
    const error = storeError(path, new Error(`${said}\nsecond line`))
    expect(error).toMatchObject({ reason, path, detail: said, isRetryable })
    expect(error.message).toContain(sentence)
    expect(error.message).not.toContain("second line")
  })

  it("[CHK-4] names the file that DuckDB let go of when it couldn't write a checkpoint, and waits for room", () => {
    const durable = storeError(
      "committing",
      new Error(
        'IO Error: Transaction COMMIT succeeded and is durable, but the autocheckpoint failed. Checkpoint failed for database "state". The database has been invalidated. Original error: No space left on device'
      )
    )
    const later = storeError(
      "reading",
      new Error('IO Error: Database "payload" has been invalidated because checkpointing failed. Original error: Input/output error')
    )
    expect([durable, later].map(({ lostFile, isRetryable }) => [lostFile, isRetryable])).toEqual([
      ["state", true],
      ["payload", true]
    ])
    expect(storeError("reading", new Error("Binder Error")).lostFile).toBeNull()
  })

  it("is not waited out once DuckDB answers nothing more in this process", () => {
    const fatal = storeError(
      "committing",
      new Error(
        'FATAL Error: Failed: database has been invalidated because of a previous fatal error. Original error: "No space left on device"'
      )
    )
    expect([fatal.reason, fatal.isRetryable, fatal.lostFile]).toEqual(["query", false, null])
  })

  it("stays what it is when it is read again", () => {
    const error = storeError(path, new Error("ENOSPC"))
    expect(storeError("something else", error)).toBe(error)
  })
})

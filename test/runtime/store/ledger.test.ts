import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import type { LedgerShape } from "../../../runtime/store/ledger.ts"
import { ledgerContract } from "../../support/ledger-contract.ts"
import { begin, layoutOf, stagedItem, twoEnds } from "../../support/ledger-run.ts"
import { duckStore, memoryStore } from "../../support/ledger-store.ts"

ledgerContract("DuckDB", duckStore)
ledgerContract("memory", memoryStore)

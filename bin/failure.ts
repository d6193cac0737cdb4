// What a person reads when a command fails: one sentence for what they can mend, a stack only for our own mistakes.
import { CostError } from '../cost/errors.ts'
import { FleetError } from '../device-sim/errors.ts'
import { GatewayError } from '../gateway/errors.ts'
import { Interrupted } from '../lib/stop-signal.ts'

/** Failures that come from what was typed or configured. */
const usage: ReadonlySet<string> = new Set([
  'CONFIG_INVALID',
  'TEMPLATE_UNSUPPORTED',
  'RULE_INVALID',
  'SQL_INVALID',
  'PORT_IN_USE',
  'DATA_DIR_UNUSABLE',
  'SPOOL_LOCKED',
  'HANDLER_INVALID',
])

export function describeFailure(error: unknown): { readonly text: string; readonly code: number } {
  if (error instanceof Interrupted) return { text: `weir: ${error.message}`, code: error.exitCode }
  if (error instanceof GatewayError) return { text: `weir: ${error.message}`, code: usage.has(error.code) ? 2 : 1 }
  if (error instanceof FleetError || error instanceof CostError) return { text: `weir: ${error.message}`, code: error.exitCode }
  const system = systemSentence(error)
  if (system !== undefined) return { text: `weir: ${system}`, code: 1 }
  return { text: `weir: unexpected error: ${error instanceof Error ? error.stack : String(error)}`, code: 1 }
}

/** A call to the operating system that failed: a file that cannot be read, a disk that is full. */
function systemSentence(error: unknown): string | undefined {
  const { code, syscall, path } = Object(error) as NodeJS.ErrnoException
  if (code === undefined || syscall === undefined) return undefined
  return `cannot ${syscall}${path === undefined ? '' : ` ${path}`} (${code})`
}

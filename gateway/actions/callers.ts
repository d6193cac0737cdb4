// Callers that share one call: each gets its own result once, and may leave before the call ends.
import { abandoned, type DeliveryResult, type Done } from './action.ts'

export interface Caller {
  readonly signal: AbortSignal
  /** undefined: the caller has its result. */
  done: Done | undefined
}

export function tell(caller: Caller, result: DeliveryResult): void {
  const { done } = caller
  caller.done = undefined
  done?.(result)
}

/** Those whose signals have not aborted; the others know it now. */
export function staying<C extends Caller>(callers: readonly C[]): readonly C[] {
  return signalsOf(callers).some(({ aborted }) => aborted) ? callers.filter(isWanted) : callers
}

/** false: its signal has aborted, and now it knows. */
export function isWanted(caller: Caller): boolean {
  const { aborted } = caller.signal
  if (aborted) tell(caller, abandoned())
  return !aborted
}

/** Each once: nearly always there is just one. */
function signalsOf(callers: readonly Caller[]): readonly AbortSignal[] {
  const signals: AbortSignal[] = []
  for (const { signal } of callers) if (signal !== signals.at(-1) && !signals.includes(signal)) signals.push(signal)
  return signals
}

/** Callers whose signal aborts are answered at once; the call itself goes on for the others. */
export function letGo(callers: readonly Caller[]): () => void {
  const signals = signalsOf(callers)
  const onAbort = () => {
    for (const caller of callers) isWanted(caller)
  }
  for (const signal of signals) signal.addEventListener('abort', onAbort)
  return () => {
    for (const signal of signals) signal.removeEventListener('abort', onAbort)
  }
}

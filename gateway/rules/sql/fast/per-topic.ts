// What a topic alone decides is computed once for it: devices speak on the same few again and again.
import type { Scope } from '../scope.ts'

const maxKnown = 4_096

/** Emptied when full. */
export function perTopic<T>(compute: (scope: Scope) => T & {}): (scope: Scope) => T {
  const known = new Map<string, T>()
  return (scope) => {
    let value = known.get(scope.topic)
    if (value === undefined) {
      value = compute(scope)
      if (known.size >= maxKnown) known.clear()
      known.set(scope.topic, value)
    }
    return value
  }
}

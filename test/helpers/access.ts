// An Access for tests: real policies, identities and limits, on the clock a test gives.
import { type Access, type AccessDeps, accessSchema, createAccess } from '../../gateway/access/access.ts'
import { createArns } from '../../gateway/access/arn.ts'
import type { Observe } from '../../gateway/observe/observe.ts'
import { systemClock } from '../../lib/clock.ts'

export const testArns = createArns({ region: 'us-east-1', accountId: '123456789012' })

/** AWS's limits but for what a test does faster than a device may. */
export const noRates = {
  limits: {
    publishesPerSecond: 'off',
    bytesPerSecond: 'off',
    inFlightInbound: 'off',
    connectsPerClientPerSecond: 'off',
    inboundPublishesPerSecond: 'off',
  },
} as const

export function createTestAccess(config: object, observe: Observe, more: Partial<AccessDeps> = {}): Access {
  return createAccess(accessSchema.parse(config), { clock: systemClock, observe, arns: testArns, ...more })
}

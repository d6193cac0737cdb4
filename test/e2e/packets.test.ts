// Every packet of MQTT 3.1.1 and 5 that can be wrong in one way, sent to a gateway beside clients that it must go on serving.
import { test } from 'vitest'
import { systematicCases } from '../packets/cases/index.ts'
import { randomCases } from '../packets/cases/random.ts'
import { expectNoFailures } from '../packets/gateway.ts'

test('serves legal packets, refuses all others with their reason code, and disturbs no other client', async () => {
  await expectNoFailures([...systematicCases(), ...randomCases(1, 300)])
})

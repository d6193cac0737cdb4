import { expect, test } from 'vitest'
import type { Entry, KeptEntry } from '../../../../gateway/broker/sessions/entry.ts'
import { createReservations } from '../../../../gateway/broker/sessions/reservations.ts'
import { settled } from '../../../helpers/manual-clock.ts'

const kept: KeptEntry = { kind: 'kept', number: 1, retained: false, to: ['away'], topic: 'cmd/x', qos: 1, payload: Buffer.from('x') }

test('a withdrawal that cannot be written hides the message from its clients, and is repeated until it is on disk', async () => {
  const written: Entry[] = []
  let failing = false
  const reservations = createReservations(
    { sessions: new Map(), kept: new Map() },
    {
      async append(entry) {
        if (failing) throw new Error('no space')
        written.push(entry)
      },
    },
  )
  const reservation = await reservations.make(kept)
  failing = true
  reservation.withdraw()
  await settled()
  reservations.sweep()
  await settled()
  expect(reservations.has(1)).toBe(true)
  failing = false
  reservations.sweep()
  await settled()
  expect(reservations.has(1)).toBe(false)
  expect(written).toEqual([kept, { kind: 'released', client: 'away', numbers: [1] }])
})

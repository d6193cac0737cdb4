import { expect, test } from 'vitest'
import { createWaitingRoom } from '../../../gateway/broker/waiting-room.ts'

test('the oldest of too many makes room, and one that has left does not count', () => {
  const turnedAway: string[] = []
  const room = createWaitingRoom<string>(2, (one) => turnedAway.push(one))
  for (const one of ['a', 'b']) room.enter(one)
  room.leave('b')
  for (const one of ['c', 'd', 'e']) room.enter(one)
  expect(turnedAway).toEqual(['a', 'c'])
})

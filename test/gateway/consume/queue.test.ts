import { systemClock as clock } from '../../../lib/clock.ts'
import { testQueue } from '../../contract/queue.ts'
import { createMemoryQueue, type MemoryQueue } from '../../helpers/memory-queue.ts'

testQueue({
  create: (name) => createMemoryQueue({ clock, name }),
  dead: async (queue) => (queue as MemoryQueue).dead.map(({ item, reason }) => ({ key: item.key, reason })),
})

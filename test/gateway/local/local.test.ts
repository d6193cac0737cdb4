import { expect, test } from 'vitest'
import { startLocal } from '../../../gateway/local/local.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

test('a data directory that cannot be is told by name', async () => {
  const started = startLocal({ port: 0, region: 'us-east-1', dataDir: '/dev/null/queues', observe: createSpyObserve() })
  await expect(started).rejects.toMatchObject({ code: 'LOCAL_FAILED', message: expect.stringMatching(/did not start: E[A-Z]+/) })
})

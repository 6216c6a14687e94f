/** A new submission id: a request that is repeated with it is answered as the first one was. */
export const newSubmissionId = (): string => crypto.randomUUID()

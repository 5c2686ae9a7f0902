/** The environment variable that marks the run's processes and tells the Python hook where to write. */
export const runVariable = 'CORONER_RUN';

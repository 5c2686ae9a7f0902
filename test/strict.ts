// A fault that coroner would contain ends the test that met it.
import { hearFaults } from '../src/model/faults.ts';

hearFaults((_fault, error) => {
  throw error;
});

"""An embedded KSeF, Latarnia and network printer: real servers on loopback, awkward on purpose."""

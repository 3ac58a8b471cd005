package main

const programConfig = "cmd/m2mguard/internal/config"

// ofProgram are the tests of the program's file, which is a module of its own.
var ofProgram = []suite{{folder: programConfig}}

// programMutants are of what the program m2mguard may call good, and what it reads.
var programMutants = []mutant{
	{"program", "a list that nobody has read calls no token good", []edit{{programConfig + "/file.go", "case f.Revocations.Stats().Loaded:", "case f.Revocations.Ready() == nil:"}}, []suite{{"cmd/m2mguard/internal/command", "TestUnreadList"}}},
	{"program", "nor does an explanation", []edit{{"cmd/m2mguard/internal/command/explain.go", "		e.Accepted = false\n", ""}}, []suite{{"cmd/m2mguard/internal/command", "TestUnreadList"}}},
	{"program", "an opt-out in another form is told", []edit{{programConfig + "/decode.go", "	d.dangers = append(d.dangers, dangers(said, path)...)\n", ""}}, ofProgram},
	{"program", "a secret that a command needs is read", []edit{{programConfig + "/decode.go", "secret && d.leaves(path)", "secret"}}, ofProgram},
	{"program", "a key for its file's name is a fault at once", []edit{{programConfig + "/decode.go", " && isContent(value.Value) {", " && false {"}}, []suite{{programConfig, "TestMisplaced"}}},
	{"program", "in base64, too", []edit{{programConfig + "/content.go", "return err == nil && isDER(bytes)", "return err == nil && isDER(bytes) && false"}}, []suite{{programConfig, "TestMisplaced"}}},
	{"program", "a secret for a key is not shown", []edit{{programConfig + "/keys.go", "		return fmt.Sprintf(\"[another key, of %d bytes]\", len(key))\n", "		_ = fmt.Sprint(key)\n"}}, []suite{{programConfig, "TestSecretForAKey"}}},
	{"program", "no fault quotes what stands for a file's name", []edit{{programConfig + "/forms.go", "		return at.Err\n", "		_ = at\n"}}, []suite{{programConfig, "TestMisplaced"}}},
}
